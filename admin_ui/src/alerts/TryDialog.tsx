import { Button, Group, Modal, Textarea, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Tried, tryAlert } from '../api/alerts'
import { clock, duration, number } from '../i18n/format'
import { Problem, told } from '../kit/Problem'

const EXAMPLE = 'service=* error_ratio > 2 % over 1m'

/** When a rule would have fired over the last 24 hours; nothing is kept of it. null: closed. */
export function TryDialog({ tried, close }: { tried: { namespace: string; query: string } | null; close: () => void }) {
  const { t } = useTranslation()
  const [query, setQuery] = useState('')
  const [namespace, setNamespace] = useState('')
  const make = useMutation({ mutationFn: () => tryAlert(namespace, { query }) })
  const { reset } = make
  useEffect(() => {
    if (tried === null) return
    setQuery(tried.query || EXAMPLE)
    setNamespace(tried.namespace)
    reset()
  }, [tried, reset])
  return (
    <Modal
      opened={tried !== null}
      onClose={close}
      title={t('alerts.tryTitle')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      <form
        style={{ display: 'grid', gap: 12 }}
        onSubmit={(event) => {
          event.preventDefault()
          make.mutate()
        }}
      >
        <TextInput
          label={t('shell.namespace')}
          required
          value={namespace}
          onChange={(event) => setNamespace(event.currentTarget.value.trim())}
        />
        <Textarea
          label={t('alerts.query')}
          required
          autosize
          minRows={2}
          data-autofocus
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
        />
        {make.error && <Problem problem={told(make.error)} />}
        {make.data && <Found tried={make.data} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('kit.close')}
          </Button>
          <Button type="submit" loading={make.isPending}>
            {t('alerts.try')}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}

function Found({ tried }: { tried: Tried }) {
  const { t, i18n } = useTranslation()
  if (tried.fired.length === 0) return <p role="status">{t('alerts.neverFired')}</p>
  return (
    <div role="status">
      <p style={{ margin: '0 0 4px' }}>
        {t('alerts.wouldHaveFired', { times: tried.fired.length + (tried.left_out ?? 0) })}
      </p>
      <ul style={{ margin: 0, paddingInlineStart: 20, maxHeight: 240, overflow: 'auto' }}>
        {tried.fired.map((one) => (
          <li key={`${one.fired_at} ${JSON.stringify(one.labels)}`}>
            {clock(one.fired_at * 1000, i18n.language)} ·{' '}
            {one.resolved_at
              ? duration(Math.max(Math.round(one.resolved_at - one.fired_at), 1), i18n.language)
              : t('alerts.untilNow')}{' '}
            · {one.summary || number(one.value, i18n.language)}
          </li>
        ))}
      </ul>
    </div>
  )
}
