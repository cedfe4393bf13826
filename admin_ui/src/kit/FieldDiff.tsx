import { useTranslation } from 'react-i18next'

export type Changed = {
  kind: string
  namespace: string
  name: string
  result: string
  changes?: { path: string; from: unknown; to: unknown }[]
}

const SIGNS: Record<string, string> = { created: '+', changed: '~', deleted: '−', unchanged: '=' }

/** What becomes of each document, field by field. */
export function FieldDiff({ documents }: { documents: readonly Changed[] }) {
  const { t } = useTranslation()
  return (
    <div style={{ display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', gap: 8 }}>
      {documents.map((one) => (
        <section key={`${one.kind}/${one.namespace}/${one.name}`} className="panel">
          <h2>
            <span aria-hidden="true">{SIGNS[one.result] ?? '?'} </span>
            {one.kind} {one.namespace}/{one.name}
            <span style={{ color: 'var(--muted)', fontWeight: 400 }}>
              {' '}
              {t(`results.${one.result}` as 'results.changed', { defaultValue: one.result })}
            </span>
          </h2>
          {one.changes && one.changes.length > 0 && (
            <div className="table-box">
              <table className="table">
                <thead>
                  <tr>
                    <th scope="col">{t('diff.field')}</th>
                    <th scope="col">{t('diff.before')}</th>
                    <th scope="col">{t('diff.after')}</th>
                  </tr>
                </thead>
                <tbody>
                  {one.changes.map((change) => (
                    <tr key={change.path}>
                      <th scope="row">
                        <code>{change.path}</code>
                      </th>
                      <td className="wrap diff-old">{text(change.from)}</td>
                      <td className="wrap diff-new">{text(change.to)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </section>
      ))}
    </div>
  )
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
