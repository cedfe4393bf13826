import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { rolesQuery } from '../api/people'
import { Panel } from '../kit/Panel'

/** What each role may: a row a right, a column a role. */
export function RoleMatrix() {
  const { t } = useTranslation()
  const asked = useQuery(rolesQuery)
  return (
    <>
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('roles.matrix')}</h2>
      <Panel asked={asked} height={300}>
        {(roles) => {
          const rights = [...new Set(roles.flatMap((role) => role.rights))].sort()
          return (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
            <section className="table-box" tabIndex={0} aria-label={t('roles.matrix')}>
              <table className="table">
                <thead>
                  <tr>
                    <th scope="col">{t('roles.right')}</th>
                    {roles.map((role) => (
                      <th scope="col" key={role.name}>
                        {role.name}
                        {role.of_the_mesh && ' *'}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rights.map((right) => (
                    <tr key={right}>
                      <th scope="row">
                        <code>{right}</code>
                      </th>
                      {roles.map((role) => (
                        <td key={role.name}>{role.rights.includes(right) ? t('users.yes') : '–'}</td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          )
        }}
      </Panel>
      <p style={{ color: 'var(--muted)' }}>{t('roles.ofTheMesh')}</p>
    </>
  )
}
