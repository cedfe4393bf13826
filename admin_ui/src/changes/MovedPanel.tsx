import { Button, SegmentedControl } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Change, editChange, isSame, type Moved, partOf } from '../api/changes'
import { keys } from '../api/keys'
import { Problem, told } from '../kit/Problem'
import { rebased } from './rebasing'

type Choice = 'mine' | 'theirs'

/** Documents that others published meanwhile: both changes together, and a choice for each field that both changed. */
export function MovedPanel({ change, moved }: { change: Change; moved: readonly Moved[] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [choices, setChoices] = useState<Record<string, Choice>>({})
  const merge = useMutation({
    mutationFn: () =>
      editChange(
        change,
        change.documents.map((one) => {
          const part = partOf(one)
          const now = moved.find((each) => isSame(each, one))
          if (now === undefined) return part
          const isMine = (path: string) => choices[`${nameOf(now)} ${path}`] === 'mine'
          return { ...part, text: rebased(part.text, now, isMine), base_revision: now.revision }
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.changes }),
  })
  return (
    <section className="panel" aria-label={t('drafts.moved')} style={{ borderColor: 'var(--warn)' }}>
      <h2>▲ {t('drafts.moved')}</h2>
      {moved.map((one) => (
        <div key={nameOf(one)}>
          <p style={{ marginTop: 0 }}>
            {nameOf(one)}: r{one.base_revision} → r{one.revision}
          </p>
          {one.conflicts.map(({ path, mine, theirs }) => {
            const key = `${nameOf(one)} ${path}`
            return (
              <div key={path} style={{ marginBottom: 8 }}>
                <code>{path || t('drafts.wholeDocument')}</code>
                <SegmentedControl
                  size="xs"
                  ml="sm"
                  aria-label={`${t('drafts.choose')} ${path}`}
                  value={choices[key] ?? 'theirs'}
                  onChange={(value) => setChoices({ ...choices, [key]: value as Choice })}
                  data={[
                    { value: 'theirs', label: t('drafts.theirs', { value: text(theirs) }) },
                    { value: 'mine', label: t('drafts.mine', { value: text(mine) }) },
                  ]}
                />
              </div>
            )
          })}
        </div>
      ))}
      {merge.error && <Problem problem={told(merge.error)} />}
      <Button loading={merge.isPending} onClick={() => merge.mutate()}>
        {t('drafts.merge')}
      </Button>
    </section>
  )
}

function nameOf({ kind, namespace, name }: Moved): string {
  return `${kind} ${namespace}/${name}`
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–'
  const said = typeof value === 'string' ? value : JSON.stringify(value)
  return said.length > 60 ? `${said.slice(0, 60)}…` : said
}
