import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { userRightsQuery } from '../api/people'
import { Panel } from '../kit/Panel'
import { RightsList } from './RightsList'

/** What somebody may, and by which roles: a user, or a person whom a provider knows. */
export function RightsOf() {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const [asked, setAsked] = useState('')
  const rights = useQuery({ ...userRightsQuery(asked), enabled: asked !== '' })
  return (
    <section className="panel" style={{ marginTop: 12 }}>
      <h2>{t('roles.effective')}</h2>
      <form
        style={{ display: 'flex', gap: 8, alignItems: 'end', flexWrap: 'wrap', marginBottom: 12 }}
        onSubmit={(event) => {
          event.preventDefault()
          setAsked(name)
        }}
      >
        <TextInput
          label={t('roles.subject')}
          description={t('roles.effectiveHint')}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value.trim())}
        />
        <Button type="submit">{t('roles.show')}</Button>
      </form>
      {asked !== '' && (
        <Panel asked={rights} height={80}>
          {(held) => (
            <>
              <RightsList principal={held.principal} rights={held.rights} />
              {held.by.length > 0 && (
                <ul style={{ margin: 0, paddingInlineStart: 20 }}>
                  {held.by.map((one) => (
                    <li key={`${one.group} ${one.role} ${one.namespace}`}>
                      {one.role}, {one.namespace === '*' ? t('shell.allNamespaces') : one.namespace}
                      {one.group && ` (${t('roles.group')} ${one.group})`}
                    </li>
                  ))}
                </ul>
              )}
            </>
          )}
        </Panel>
      )}
    </section>
  )
}
