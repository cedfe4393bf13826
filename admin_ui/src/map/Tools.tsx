import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { EDGE_KINDS, LABELS, LEVELS, type Level, type MapSearch } from './search'

const SETTLE_MS = 250
const MOST_HOPS = 3
type Look = (next: Partial<MapSearch>) => void

/** What is looked at, by which filters, and what stands on edges: all of it in the URL. */
export function Tools({ search, level, look }: { search: MapSearch; level: Level; look: Look }) {
  const { t } = useTranslation()
  return (
    <section className="map-tools" aria-label={t('map.tools')}>
      <fieldset aria-label={t('map.level')}>
        {LEVELS.map((one) => (
          <Button
            key={one}
            variant={one === level ? 'filled' : 'default'}
            aria-pressed={one === level}
            disabled={one === 'focus' && !search.focus}
            onClick={() => look({ level: one })}
          >
            {t(`map.levels.${one}`)}
          </Button>
        ))}
      </fieldset>
      {level === 'focus' && (
        <NativeSelect
          label={t('map.hops')}
          value={String(search.hops ?? 1)}
          data={Array.from({ length: MOST_HOPS }, (_, at) => String(at + 1))}
          onChange={(event) => look({ hops: Number(event.currentTarget.value) })}
        />
      )}
      <Settled
        label={t('map.text')}
        value={search.text ?? ''}
        set={(text) => look({ text: text || undefined })}
        isFilter
      />
      <Settled label={t('map.label')} value={search.label ?? ''} set={(label) => look({ label: label || undefined })} />
      <NativeSelect
        label={t('map.edges')}
        value={search.edges ?? ''}
        data={[
          { value: '', label: t('map.edgeKinds.any') },
          ...EDGE_KINDS.map((one) => ({ value: one, label: t(`map.edgeKinds.${one}`) })),
        ]}
        onChange={(event) => look({ edges: EDGE_KINDS.find((one) => one === event.currentTarget.value) })}
      />
      <Settled
        label={t('map.minRate')}
        value={search.min_rps === undefined ? '' : String(search.min_rps)}
        set={(text) => look({ min_rps: Number(text) > 0 ? Number(text) : undefined })}
        isNumber
      />
      <NativeSelect
        label={t('map.names')}
        value={search.names ?? 'rates'}
        data={LABELS.map((one) => ({ value: one, label: t(`map.labels.${one}`) }))}
        onChange={(event) => look({ names: LABELS.find((one) => one === event.currentTarget.value) })}
      />
      <Check label={t('map.unwell')} isOn={!!search.unwell} set={(isOn) => look({ unwell: isOn ? true : undefined })} />
      <Check label={t('map.busy')} isOn={!!search.busy} set={(isOn) => look({ busy: isOn ? true : undefined })} />
      <Check
        label={t('map.tableOnly')}
        isOn={!!search.table}
        set={(isOn) => look({ table: isOn ? true : undefined })}
      />
    </section>
  )
}

function Check({ label, isOn, set }: { label: string; isOn: boolean; set: (isOn: boolean) => void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={isOn} onChange={(event) => set(event.currentTarget.checked)} />
      {label}
    </label>
  )
}

type Typed = { label: string; value: string; set: (text: string) => void; isFilter?: boolean; isNumber?: boolean }

/** A text that counts when the hand rests: each keystroke in the URL would draw the map anew. */
function Settled({ label, value, set, isFilter = false, isNumber = false }: Typed) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  // biome-ignore lint/correctness/useExhaustiveDependencies: it waits for the text alone
  useEffect(() => {
    if (text === value) return
    const timer = window.setTimeout(() => set(text.trim()), SETTLE_MS)
    return () => window.clearTimeout(timer)
  }, [text])
  return (
    <TextInput
      label={label}
      w={150}
      type={isNumber ? 'number' : 'text'}
      min={isNumber ? 0 : undefined}
      step={isNumber ? 'any' : undefined}
      value={text}
      data-filter={isFilter || undefined}
      onChange={(event) => setText(event.currentTarget.value)}
    />
  )
}
