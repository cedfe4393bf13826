import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { parse } from 'yaml'
import { type Path, withValue } from '../parts/documentEdits'
import { type Field, fieldsOfKind, fits, membersOf } from './formFields'
import type { Openapi } from './openapi'

/** Of an answer's errors: what is said of a field, by its path (`spec.token_bucket.rate`). */
export type Faults = Readonly<Record<string, string>>

type Props = {
  text: string
  change: (text: string) => void
  openapi: Openapi | undefined
  kind: string
  isNew: boolean
  isReadOnly: boolean
  faults: Faults
}

/** The document as fields. It is the same text: a field writes its own value, and nothing else moves. */
export function DocumentForm({ text, change, openapi, kind, isNew, isReadOnly, faults }: Props) {
  const { t } = useTranslation()
  const whole = useMemo(() => parse(text) as { metadata?: Record<string, unknown>; spec?: unknown }, [text])
  const set = (path: Path, value: unknown) => change(withValue(text, path, value))
  const fields = fieldsOfKind(openapi, kind)
  return (
    <fieldset className="panel" disabled={isReadOnly} style={{ display: 'grid', gap: 12, margin: 0 }}>
      <legend>{t('form.title', { kind })}</legend>
      {(['name', 'namespace'] as const).map((name) => (
        <TextInput
          key={name}
          label={name}
          value={textOf(whole.metadata?.[name])}
          readOnly={!isNew}
          error={faults[`metadata.${name}`]}
          onChange={(event) => set(['metadata', name], event.currentTarget.value)}
        />
      ))}
      <Fields
        fields={fields}
        value={whole.spec}
        path={['spec']}
        at="spec"
        openapi={openapi}
        set={set}
        faults={faults}
        isReadOnly={isReadOnly}
      />
    </fieldset>
  )
}

type Place = {
  path: Path
  /** The same as answers write it. */
  at: string
  openapi: Openapi | undefined
  set: (path: Path, value: unknown) => void
  faults: Faults
  isReadOnly: boolean
}

function Fields({ fields, value, ...place }: Place & { fields: Field[]; value: unknown }) {
  const { t } = useTranslation()
  const members = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const isShown = (field: Field) => members[field.name] !== undefined || isLine(field)
  const others = fields.filter((field) => !isShown(field) && field.kind !== 'other')
  return (
    <>
      {fields.filter(isShown).map((field) => (
        <One
          key={field.name}
          {...place}
          field={field}
          value={members[field.name]}
          path={[...place.path, field.name]}
          at={`${place.at}.${field.name}`}
        />
      ))}
      {others.length > 0 && !place.isReadOnly && (
        <NativeSelect
          aria-label={t('form.add', { place: place.at })}
          value=""
          data={[{ value: '', label: t('form.addBlock') }, ...others.map((field) => field.name)]}
          onChange={(event) => {
            const field = others.find((one) => one.name === event.currentTarget.value)
            if (field) place.set([...place.path, field.name], field.kind === 'group' ? {} : [])
          }}
          style={{ maxWidth: 260 }}
        />
      )}
    </>
  )
}

function One({ field, value, ...place }: Place & { field: Field; value: unknown }) {
  const { t } = useTranslation()
  const { path, at, set, isReadOnly } = place
  const error = place.faults[at]
  const line = { label: field.name, description: field.about || undefined, error }
  if (!fits(field, value)) {
    return (
      <div>
        <strong>{field.name}</strong> <code>{JSON.stringify(value)}</code> · {t('form.inText')}
        {error && <div style={{ color: 'var(--bad)' }}>{error}</div>}
      </div>
    )
  }
  if (field.kind === 'switch' || field.kind === 'choice') {
    const choices = field.kind === 'switch' ? ['true', 'false'] : field.choices
    return (
      <NativeSelect
        {...line}
        value={value === undefined || value === null ? '' : String(value)}
        data={[{ value: '', label: t('form.unset') }, ...choices]}
        onChange={(event) => {
          const chosen = event.currentTarget.value
          set(path, chosen === '' ? undefined : field.kind === 'switch' ? chosen === 'true' : chosen)
        }}
      />
    )
  }
  if (field.kind === 'text' || field.kind === 'number') {
    return (
      <TextInput
        {...line}
        value={textOf(value)}
        inputMode={field.kind === 'number' ? 'decimal' : undefined}
        onChange={(event) => {
          const written = event.currentTarget.value
          const isNumber = field.kind === 'number' && /^-?\d+(\.\d+)?$/.test(written)
          set(path, written === '' ? undefined : isNumber ? Number(written) : written)
        }}
      />
    )
  }
  if (field.kind === 'texts') {
    return (
      <TextInput
        {...line}
        description={t('form.commas')}
        value={((value as unknown[] | undefined) ?? []).map(String).join(', ')}
        onChange={(event) => {
          const items = event.currentTarget.value.split(/,\s?/)
          set(path, event.currentTarget.value === '' ? undefined : items)
        }}
      />
    )
  }
  const members = membersOf(place.openapi, field)
  const takeAway = !isReadOnly && (
    <Button variant="default" size="compact-xs" onClick={() => set(path, undefined)}>
      {t('form.remove', { name: field.name })}
    </Button>
  )
  if (field.kind === 'group') {
    return (
      <fieldset className="panel" style={{ display: 'grid', gap: 12, margin: 0 }}>
        <legend>{field.name}</legend>
        {error && <div style={{ color: 'var(--bad)' }}>{error}</div>}
        <Fields {...place} fields={members} value={value} />
        <Group>{takeAway}</Group>
      </fieldset>
    )
  }
  const items = (value as unknown[] | undefined) ?? []
  return (
    <fieldset className="panel" style={{ display: 'grid', gap: 12, margin: 0 }}>
      <legend>{field.name}</legend>
      {error && <div style={{ color: 'var(--bad)' }}>{error}</div>}
      {items.map((item, index) => (
        <fieldset
          // biome-ignore lint/suspicious/noArrayIndexKey: items of a list are told apart by their place alone
          key={index}
          className="panel"
          style={{ display: 'grid', gap: 12, margin: 0 }}
        >
          <legend>
            {field.name} {index + 1}
          </legend>
          <Fields {...place} fields={members} value={item} path={[...path, index]} at={`${at}[${index}]`} />
          {!isReadOnly && (
            <Group>
              <Button variant="default" size="compact-xs" onClick={() => set([...path, index], undefined)}>
                {t('form.remove', { name: `${field.name} ${index + 1}` })}
              </Button>
            </Group>
          )}
        </fieldset>
      ))}
      {!isReadOnly && (
        <Group>
          <Button variant="default" size="compact-xs" onClick={() => set([...path, items.length], {})}>
            {t('form.addItem', { name: field.name })}
          </Button>
          {takeAway}
        </Group>
      )}
    </fieldset>
  )
}

/** What is one control. Blocks are shown once they are written. */
function isLine({ kind }: Field): boolean {
  return kind !== 'group' && kind !== 'groups' && kind !== 'other'
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
