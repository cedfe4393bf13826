import { Button, Checkbox, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Change, type ChangeForeseen, publishChange } from '../api/changes'
import { ApiProblem } from '../api/client'
import { routeUsesQuery } from '../api/insight'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { Problem, told } from '../kit/Problem'

const HOUR_S = 3600

/** The last step before it is a revision. What deletes something that is called is typed by its name first. */
export function PublishPanel({ change, foreseen }: { change: Change; foreseen: ChangeForeseen }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may, isReadOnly } = useRights()
  const [message, setMessage] = useState('')
  const [waives, setWaives] = useState(false)
  const [isAsking, setAsking] = useState(false)
  const uses = useQuery({ ...routeUsesQuery({ window_s: HOUR_S }), enabled: may('insight:read', '*') })
  const publish = useMutation({
    mutationFn: () => publishChange(change, message, waives),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: keys.changes })
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['documents'] })
      await client.invalidateQueries({ queryKey: keys.revisions })
    },
  })
  const mayWrite = !isReadOnly && change.documents.every((one) => may('documents:write', one.namespace))
  const lacks = change.approvals_needed - change.approvals_given
  const isAdmin = may('backup:read', '*')
  const hasMoved = (foreseen.moved ?? []).length > 0
  const deleted = foreseen.documents.filter((one) => one.result === 'deleted')
  const touched = new Set((foreseen.effect?.routes ?? []).map((one) => one.name))
  const isCalled =
    (foreseen.effect?.rps ?? 0) > 0 ||
    (uses.data ?? []).some((one) => touched.has(`${one.namespace}/${one.name}`) && one.figures.calls > 0)
  if (!mayWrite) return null
  return (
    <section className="panel" aria-label={t('drafts.publishTitle')}>
      <h2>{t('drafts.publishTitle')}</h2>
      {lacks > 0 && (
        <p style={{ marginTop: 0 }}>
          ▲ {t('drafts.needs', { needed: change.approvals_needed, given: change.approvals_given })}
        </p>
      )}
      {lacks > 0 && isAdmin && (
        <Checkbox
          mb="sm"
          label={t('drafts.waive')}
          checked={waives}
          onChange={(event) => setWaives(event.currentTarget.checked)}
        />
      )}
      <TextInput
        label={t('drafts.message')}
        value={message}
        maxLength={2000}
        onChange={(event) => setMessage(event.currentTarget.value)}
        mb="sm"
      />
      {publish.error && !(publish.error instanceof ApiProblem && publish.error.status === 412) && (
        <Problem problem={told(publish.error)} />
      )}
      {publish.error instanceof ApiProblem && publish.error.status === 412 && (
        <p role="alert">▲ {t('drafts.movedAgain')}</p>
      )}
      <Button
        loading={publish.isPending}
        disabled={hasMoved || (lacks > 0 && !waives)}
        onClick={() => (deleted.length > 0 ? setAsking(true) : publish.mutate())}
      >
        {t('editor.publish')}
      </Button>
      <Confirm
        title={t('drafts.publishTitle')}
        action={t('editor.publish')}
        name={isCalled ? deleted[0]?.name : undefined}
        isOpen={isAsking}
        close={() => setAsking(false)}
        act={() => publish.mutateAsync()}
      >
        {t('drafts.deletes', { names: deleted.map((one) => `${one.kind} ${one.namespace}/${one.name}`).join(', ') })}
      </Confirm>
    </section>
  )
}
