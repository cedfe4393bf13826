import { Button, Group, Modal, NativeSelect, Textarea } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Alert, matchersOf, silence } from '../api/alerts'
import { keys } from '../api/keys'
import { duration } from '../i18n/format'
import { Problem, told } from '../kit/Problem'

const SPANS_H = [1, 2, 4, 8, 24, 72, 168]

/** Lets nobody be told of one alert for a time, with the reason. null: closed. */
export function SilenceDialog({ alert, close }: { alert: Alert | null; close: () => void }) {
  const { t, i18n } = useTranslation()
  const client = useQueryClient()
  const [span_h, setSpan] = useState(SPANS_H[1])
  const [reason, setReason] = useState('')
  const make = useMutation({
    mutationFn: async () => {
      if (alert === null) return
      await silence(alert.labels?.namespace ?? '*', matchersOf(alert), `${span_h}h`, reason)
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.alerts })
      await client.invalidateQueries({ queryKey: keys.silences })
      close()
    },
  })
  const { reset } = make
  useEffect(() => {
    if (alert !== null) {
      setReason('')
      reset()
    }
  }, [alert, reset])
  return (
    <Modal
      opened={alert !== null}
      onClose={close}
      title={t('alerts.silenceOf', { alert: alert?.name ?? '' })}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      <form
        style={{ display: 'grid', gap: 12 }}
        onSubmit={(event) => {
          event.preventDefault()
          make.mutate()
        }}
      >
        <p style={{ margin: 0 }}>
          {t('alerts.silenceHint')}{' '}
          {alert && matchersOf(alert).map(({ name, value }) => <code key={name}>{`${name}=${value} `}</code>)}
        </p>
        <NativeSelect
          label={t('alerts.silenceFor')}
          value={String(span_h)}
          onChange={(event) => setSpan(Number(event.currentTarget.value))}
          data={SPANS_H.map((hours) => ({ value: String(hours), label: duration(hours * 3600, i18n.language) }))}
        />
        <Textarea
          label={t('alerts.reason')}
          required
          maxLength={500}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {make.error && <Problem problem={told(make.error)} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('kit.cancel')}
          </Button>
          <Button type="submit" loading={make.isPending}>
            {t('alerts.silence')}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}
