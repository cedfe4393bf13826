import { Button, type ButtonProps, Tooltip } from '@mantine/core'
import { createContext, type ReactNode, useContext } from 'react'
import { useTranslation } from 'react-i18next'

/** Why nobody may act now, in words; empty: who has the right may. */
export const Frozen = createContext('')

/** A button that says which right is missing where its absence would puzzle. */
export function NeedsButton({
  may,
  right,
  namespace,
  onClick,
  children,
  ...rest
}: ButtonProps & { may: boolean; right: string; namespace: string; onClick: () => void; children: ReactNode }) {
  const { t } = useTranslation()
  const frozen = useContext(Frozen)
  if (may) {
    return (
      <Button {...rest} onClick={onClick}>
        {children}
      </Button>
    )
  }
  const needs = namespace === '*' ? t('states.needsEverywhere', { right }) : t('states.needs', { right, namespace })
  const reason = frozen || needs
  return (
    <Tooltip label={reason}>
      <Button {...rest} data-disabled aria-disabled="true" onClick={(event) => event.preventDefault()}>
        {children}
        <span style={{ position: 'absolute', left: -9999 }}> ({reason})</span>
      </Button>
    </Tooltip>
  )
}
