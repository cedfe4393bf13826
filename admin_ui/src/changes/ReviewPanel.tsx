import { Button, Group, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { askReview, type Change, judge } from '../api/changes'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { Problem, told } from '../kit/Problem'
import { Since } from '../kit/Since'

/** What others say of it. Who wrote it asks, and somebody else agrees or refuses, with a word. */
export function ReviewPanel({ change }: { change: Change }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may, isReadOnly, session } = useRights()
  const [word, setWord] = useState('')
  const act = useMutation({
    mutationFn: async (what: 'ask' | 'approve' | 'refuse') => {
      await (what === 'ask' ? askReview(change) : judge(change, what, word))
    },
    onSuccess: () => setWord(''),
    onSettled: () => client.invalidateQueries({ queryKey: keys.changes }),
  })
  const mayWrite = !isReadOnly && change.documents.every((one) => may('documents:write', one.namespace))
  const isOwn = change.editors.includes(session.principal)
  return (
    <section className="panel" aria-label={t('drafts.review')} style={{ flex: 1 }}>
      <h2>{t('drafts.review')}</h2>
      {change.words.length === 0 && <p style={{ marginTop: 0 }}>{t('drafts.noWords')}</p>}
      {change.words.length > 0 && (
        <ul style={{ marginTop: 0, paddingInlineStart: 20 }}>
          {change.words.map((one) => (
            <li key={one.at + one.by}>
              <strong>{t(`drafts.verdicts.${one.verdict}`)}</strong> {one.by} · <Since at={Date.parse(one.at)} />
              {one.text && ` · ${one.text}`}
              {!one.counts && ` · ${t('drafts.ofBefore')}`}
            </li>
          ))}
        </ul>
      )}
      {act.error && <Problem problem={told(act.error)} />}
      {mayWrite && change.state === 'draft' && (
        <Button variant="default" loading={act.isPending} onClick={() => act.mutate('ask')}>
          {t('drafts.ask')}
        </Button>
      )}
      {mayWrite && change.state === 'in_review' && isOwn && <p style={{ margin: 0 }}>{t('drafts.waiting')}</p>}
      {mayWrite && change.state === 'in_review' && !isOwn && (
        <>
          <TextInput
            label={t('drafts.word')}
            value={word}
            maxLength={2000}
            onChange={(event) => setWord(event.currentTarget.value)}
            mb="sm"
          />
          <Group gap="sm">
            <Button loading={act.isPending} onClick={() => act.mutate('approve')}>
              {t('drafts.approve')}
            </Button>
            <Button variant="default" loading={act.isPending} onClick={() => act.mutate('refuse')}>
              {t('drafts.refuse')}
            </Button>
          </Group>
        </>
      )}
    </section>
  )
}
