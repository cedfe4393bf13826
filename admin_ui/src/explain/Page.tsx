import { Button, Group, NativeSelect, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, take } from '../api/client'
import { documentsQuery } from '../api/documents'
import { PageHead } from '../kit/PageHead'
import { Problem, told } from '../kit/Problem'
import { Answer } from './Answer'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TCP', 'TLS', 'UDP']
// Of a Listener: no call, so none has to name a host.
const UNNAMED = ['TCP', 'TLS', 'UDP']
// Of these not even a name is told, as TLS does.
const NAMELESS = ['TCP', 'UDP']

type Question = { method: string; url: string; listener: string; as: string; headers: string }

/** What would become of a call, by the tables of a gateway: nothing is sent. */
export function ExplainPage() {
  const { t } = useTranslation()
  const [question, setQuestion] = useState<Question>({ method: 'GET', url: '', listener: '', as: '', headers: '' })
  const listeners = useQuery(documentsQuery('Listener'))
  const ask = useMutation({
    mutationFn: (one: Question) =>
      take(
        api.POST('/v1/explain', {
          body: {
            method: one.method,
            url: NAMELESS.includes(one.method) ? '' : one.url,
            headers: UNNAMED.includes(one.method) ? {} : headersOf(one.headers),
            ...(one.listener ? { listener: one.listener } : {}),
            ...(one.as ? { as: one.as } : {}),
          },
        }),
      ),
  })
  const set = (part: Partial<Question>) => setQuestion((now) => ({ ...now, ...part }))
  const isUnnamed = UNNAMED.includes(question.method)
  const isNameless = NAMELESS.includes(question.method)
  return (
    <>
      <PageHead title={t('nav.explain')} command={commandOf(question)} />
      <p style={{ maxWidth: 640, marginTop: 0 }}>{t('explain.about')}</p>
      <form
        style={{ display: 'grid', gap: 12, maxWidth: 720, marginBottom: 16 }}
        onSubmit={(event) => {
          event.preventDefault()
          ask.mutate(question)
        }}
      >
        <Group gap="sm" align="end">
          <NativeSelect
            label={t('explain.method')}
            data={METHODS}
            value={question.method}
            onChange={(event) => set({ method: event.currentTarget.value })}
          />
          {!isNameless && (
            <TextInput
              label={t(isUnnamed ? 'explain.serverName' : 'explain.url')}
              placeholder={isUnnamed ? 'db.example' : 'http://books.example/cart'}
              required={!isUnnamed}
              style={{ flex: 1, minWidth: 240 }}
              value={question.url}
              onChange={(event) => set({ url: event.currentTarget.value.trim() })}
            />
          )}
        </Group>
        <Group gap="sm" align="end">
          <NativeSelect
            label={t('explain.listener')}
            required={isUnnamed}
            data={[{ value: '', label: isUnnamed ? '–' : t('explain.byHost') }, ...listenersOf(listeners.data)]}
            value={question.listener}
            onChange={(event) => set({ listener: event.currentTarget.value })}
          />
          <TextInput
            label={t('explain.as')}
            placeholder="shop/cart"
            value={question.as}
            onChange={(event) => set({ as: event.currentTarget.value.trim() })}
          />
        </Group>
        {!isUnnamed && (
          <Textarea
            label={t('explain.headers')}
            description={t('explain.headersHint')}
            autosize
            minRows={2}
            value={question.headers}
            onChange={(event) => set({ headers: event.currentTarget.value })}
          />
        )}
        <Group>
          <Button type="submit" loading={ask.isPending}>
            {t('explain.action')}
          </Button>
        </Group>
      </form>
      {ask.error && <Problem problem={told(ask.error)} />}
      {ask.data && <Answer explanation={ask.data} />}
    </>
  )
}

/** The same question in a shell. */
export function commandOf(question: Omit<Question, 'headers'>): string {
  const example = question.method === 'CONNECT' ? 'db.default.mesh:5432' : 'http://books.default.mesh/'
  const named = question.url || (UNNAMED.includes(question.method) ? '' : example)
  const url = NAMELESS.includes(question.method) ? '' : named
  const listener = question.listener && `--listener ${question.listener}`
  const caller = question.as && `--as ${question.as}`
  return ['meshway explain', question.method, url, listener, caller].filter(Boolean).join(' ')
}

/** Those that every gateway has, then documents' own. */
export function listenersOf(documents: readonly { metadata: { name: string } }[] = []): string[] {
  const names = documents.map((one) => one.metadata.name).sort()
  return [...new Set(['edge', 'edge-tls', 'mesh', 'mesh-tls', ...names])]
}

/** `name: value` a line; others are left out. */
export function headersOf(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim()
  }
  return found
}
