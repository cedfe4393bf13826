import { Button, type ButtonProps, Tooltip } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

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
  if (may) {
    return (
      <Button {...rest} onClick={onClick}>
        {children}
      </Button>
    )
  }
  const reason = namespace === '*' ? t('states.needsEverywhere', { right }) : t('states.needs', { right, namespace })
  return (
    <Tooltip label={reason}>
      <Button {...rest} data-disabled aria-disabled="true" onClick={(event) => event.preventDefault()}>
        {children}
        <span style={{ position: 'absolute', left: -9999 }}> ({reason})</span>
      </Button>
    </Tooltip>
  )
}
