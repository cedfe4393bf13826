import { Button, Group, Modal, NumberInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ConsumerSpec, drawKey, endingAt, instant, withKey } from '../api/consumers'
import { CopyCommand } from '../kit/CopyCommand'
import { Problem, told } from '../kit/Problem'

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const OVERLAP_H = 24
const LONGEST_DAYS = 3660

/** replaces: the id of the key that the new one takes the place of; undefined: of none. */
export type Wanted = { replaces?: string }

type Props = {
  wanted: Wanted | null
  spec: ConsumerSpec
  write: (spec: ConsumerSpec) => Promise<unknown>
  close: () => void
}

/** Draws a key here and shows it, this once: of it only the hash is sent. */
export function KeyDialog({ wanted, spec, write, close }: Props) {
  const { t } = useTranslation()
  const [days, setDays] = useState<number | ''>('')
  const [overlap_h, setOverlap] = useState(OVERLAP_H)
  const replaces = wanted?.replaces
  const make = useMutation({
    mutationFn: async () => {
      const { key, entry } = await drawKey(days === '' ? undefined : instant(Date.now() + days * DAY_MS))
      const before = replaces === undefined ? spec : endingAt(spec, replaces, instant(Date.now() + overlap_h * HOUR_MS))
      await write(withKey(before, entry))
      return key
    },
  })
  const { reset } = make
  useEffect(() => {
    if (wanted) {
      setDays('')
      setOverlap(OVERLAP_H)
      reset()
    }
  }, [wanted, reset])
  const title = replaces === undefined ? t('consumers.newKey') : t('consumers.rotateKey', { id: replaces })
  return (
    <Modal opened={wanted !== null} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('kit.close') }}>
      {make.data ? (
        <>
          <p style={{ marginTop: 0 }}>{t('tokens.once')}</p>
          <CopyCommand text={make.data} label={t('consumers.key')} />
          <Group justify="flex-end" mt="md">
            <Button onClick={close}>{t('tokens.kept')}</Button>
          </Group>
        </>
      ) : (
        <form
          style={{ display: 'grid', gap: 12 }}
          onSubmit={(event) => {
            event.preventDefault()
            make.mutate()
          }}
        >
          {replaces !== undefined && (
            <NumberInput
              label={t('consumers.overlap')}
              description={t('consumers.overlapHint', { id: replaces })}
              min={0}
              max={LONGEST_DAYS * 24}
              allowDecimal={false}
              value={overlap_h}
              onChange={(value) => setOverlap(Number(value))}
            />
          )}
          <NumberInput
            label={t('tokens.days')}
            description={t('consumers.daysHint')}
            min={1}
            max={LONGEST_DAYS}
            allowDecimal={false}
            value={days}
            onChange={(value) => setDays(value === '' ? '' : Number(value))}
          />
          {make.error && <Problem problem={told(make.error)} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('kit.cancel')}
            </Button>
            <Button type="submit" loading={make.isPending}>
              {t('consumers.makeKey')}
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  )
}
