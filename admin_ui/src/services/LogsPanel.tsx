import { Button, NativeSelect, Switch, TextInput } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type LogQuestion, logsQuery, SEVERITIES, type Severity, useFollowedLogs } from '../api/logs'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { LogLines } from '../parts/LogLines'
import { useSpan } from '../shell/useSpan'

/** What a service wrote: what is kept of it, or as it comes. */
export function LogsPanel({ namespace, service }: { namespace: string; service: string }) {
  const { t } = useTranslation()
  const [severity, setSeverity] = useState<Severity | ''>('')
  const [text, setText] = useState('')
  const [wanted, setWanted] = useState('')
  const [isLive, setIsLive] = useState(false)
  const question: LogQuestion = {
    service: `${namespace}/${service}`,
    ...(severity && { severity }),
    ...(wanted && { text: wanted }),
  }
  const search = (event: FormEvent) => {
    event.preventDefault()
    setWanted(text.trim())
  }
  return (
    <>
      <form onSubmit={search} style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'end', marginBottom: 8 }}>
        <TextInput
          size="xs"
          label={t('logs.words')}
          placeholder={'refused pay* "card declined" -retry'}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          style={{ flex: '1 1 240px' }}
        />
        <NativeSelect
          size="xs"
          label={t('logs.atLeast')}
          value={severity}
          onChange={(event) => setSeverity(event.currentTarget.value as Severity | '')}
          data={[
            { value: '', label: t('logs.any') },
            ...SEVERITIES.map((one) => ({ value: one, label: t(`logs.${one}`) })),
          ]}
        />
        <Button size="xs" type="submit" variant="default">
          {t('logs.search')}
        </Button>
        <Switch
          size="xs"
          label={t('logs.follow')}
          checked={isLive}
          onChange={(event) => setIsLive(event.currentTarget.checked)}
          style={{ paddingBottom: 4 }}
        />
      </form>
      {isLive ? <Live question={question} /> : <Kept question={question} service={service} namespace={namespace} />}
    </>
  )
}

function Kept({ question, namespace, service }: { question: LogQuestion; namespace: string; service: string }) {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(logsQuery(question, useSpan().at))
  const isFiltered = question.text !== undefined || question.severity !== undefined
  return (
    <Panel asked={asked} height={240}>
      {({ pages }) => {
        const lines = pages.flatMap((page) => page.items)
        return (
          <>
            {lines.length === 0 ? (
              <Empty
                title={isFiltered ? t('logs.noneFits') : t('logs.none')}
                command={`meshway logs ${service} -n ${namespace} -f`}
              >
                <p>{t('logs.howTo')}</p>
              </Empty>
            ) : (
              <LogLines label={t('logs.title')} lines={lines} />
            )}
            <div style={{ display: 'flex', gap: 8, marginTop: 8 }}>
              <Button variant="default" loading={asked.isRefetching} onClick={() => void asked.refetch()}>
                {t('requests.again')}
              </Button>
              {asked.hasNextPage && (
                <Button variant="default" loading={asked.isFetchingNextPage} onClick={() => void asked.fetchNextPage()}>
                  {t('changes.older')}
                </Button>
              )}
            </div>
          </>
        )
      }}
    </Panel>
  )
}

function Live({ question }: { question: LogQuestion }) {
  const { t } = useTranslation()
  const { state, lines, problem } = useFollowedLogs(question)
  return (
    <>
      <p style={{ margin: '0 0 8px' }}>
        <Status health={state === 'live' ? 'ok' : state === 'failed' ? 'warn' : 'unknown'}>
          {t(`requests.tap.${state}`)}
        </Status>
      </p>
      {problem && (
        <p role="alert" style={{ color: 'var(--bad)' }}>
          ■ {problem}
        </p>
      )}
      {lines.length === 0 ? (
        <p className="panel">{t('logs.wait')}</p>
      ) : (
        <LogLines label={t('logs.title')} lines={lines} />
      )}
    </>
  )
}
