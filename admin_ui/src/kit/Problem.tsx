import { Button } from '@mantine/core'
import { useTranslation } from 'react-i18next'

/** The parts of an API problem that people read. */
export type Told = {
  code: string
  title: string
  detail?: string
  mend?: string
  requestId?: string
  errors?: { path: string; code?: string; message: string }[]
}

/** What went wrong in one panel, in the reader's language where its code is known; the API's own words stay beside. */
export function Problem({ problem, retry }: { problem: Told; retry?: () => void }) {
  const { t, i18n } = useTranslation()
  const key = `problems.${problem.code}`
  // English readers have it in the message.
  const faultOf = (code = '') =>
    !i18n.language.startsWith('en') && i18n.exists(`faults.${code}`)
      ? `${t(`faults.${code}` as 'faults.missing')}: `
      : ''
  const title = i18n.exists(key) ? t(key as 'problems.forbidden') : problem.title
  return (
    <div role="alert" className="panel" style={{ borderColor: 'var(--bad)' }}>
      <strong style={{ color: 'var(--bad)' }}>■ {title}</strong>
      {problem.detail && <div lang="en">{problem.detail}</div>}
      {problem.errors && problem.errors.length > 0 && (
        <ul style={{ margin: '4px 0', paddingInlineStart: 20 }}>
          {problem.errors.map((one) => (
            <li key={one.path + one.message}>
              {faultOf(one.code)}
              <span lang="en">{one.message}</span>
            </li>
          ))}
        </ul>
      )}
      {problem.mend && <div lang="en">{problem.mend}</div>}
      {problem.requestId && (
        <div style={{ color: 'var(--muted)' }}>
          {t('states.requestId')} <code>{problem.requestId}</code>
        </div>
      )}
      {retry && (
        <Button mt="sm" variant="default" onClick={retry}>
          {t('states.retry')}
        </Button>
      )}
    </div>
  )
}

/** Any thrown thing as what Problem shows. */
export function told(error: unknown): Told {
  if (error instanceof Error && 'code' in error && 'title' in error) return error as unknown as Told
  return { code: 'fault', title: error instanceof Error ? error.message : String(error) }
}
