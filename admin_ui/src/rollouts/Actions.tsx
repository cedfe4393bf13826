import { TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { ACTIONS, type Action, act, type Rollout } from '../api/rollouts'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { NeedsButton } from '../kit/Needs'

const RIGHT = 'rollouts:write'

/** What people may do to it, named as in the command. */
export function Actions({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may } = useRights()
  const [action, setAction] = useState<Action>('hold')
  const [isAsking, setAsking] = useState(false)
  const [reason, setReason] = useState('')
  const { namespace, canary, stable } = rollout
  const offered = ACTIONS.filter((one) => one !== 'hold' || rollout.phase !== 'holding')
  return (
    <>
      {offered.map((one) => (
        <NeedsButton
          key={one}
          variant="default"
          may={may(RIGHT, namespace)}
          right={RIGHT}
          namespace={namespace}
          onClick={() => {
            setAction(one)
            setReason('')
            setAsking(true)
          }}
        >
          {t(`rollouts.${one}`)}
        </NeedsButton>
      ))}
      <Confirm
        title={t(`rollouts.${action}`)}
        action={t(`rollouts.${action}`)}
        isOpen={isAsking}
        close={() => setAsking(false)}
        act={async () => {
          await act(rollout, action, reason)
          await client.invalidateQueries({ queryKey: keys.rollouts })
        }}
      >
        <p style={{ marginTop: 0 }}>{t(`rollouts.${action}Effect`, { canary, stable })}</p>
        <TextInput
          label={t('rollouts.reason')}
          description={t('rollouts.reasonHint')}
          value={reason}
          maxLength={300}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
      </Confirm>
    </>
  )
}
