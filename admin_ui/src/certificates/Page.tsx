import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { identityQuery } from '../api/identity'
import { useRights } from '../api/session'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Authorities } from './Authorities'
import { BeginDialog } from './BeginDialog'
import { IssueDialog } from './IssueDialog'
import { Issued } from './Issued'
import { Rotation } from './Rotation'
import { Shown } from './Shown'

/** What expires, and by whose authority it was issued. */
export function CertificatesPage() {
  const { t } = useTranslation()
  const { may } = useRights()
  const asked = useQuery(identityQuery)
  const [dialog, setDialog] = useState<'issue' | 'begin' | null>(null)
  const mayWrite = may('identity:write', '*')
  return (
    <>
      <PageHead title={t('nav.certificates')} command="meshway ca show">
        {mayWrite && asked.data && <Button onClick={() => setDialog('issue')}>{t('certificates.issue')}</Button>}
      </PageHead>
      <Panel asked={asked} height={200}>
        {(identity) =>
          identity === null ? (
            <Empty title={t('certificates.noAuthority')} command="meshway ca init">
              {mayWrite && (
                <Button mb="sm" onClick={() => setDialog('begin')}>
                  {t('certificates.begin')}
                </Button>
              )}
            </Empty>
          ) : (
            <>
              <Rotation identity={identity} mayWrite={mayWrite} />
              <Authorities identity={identity} />
              <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('certificates.issued')}</h2>
              <Issued mayWrite={mayWrite} />
            </>
          )
        }
      </Panel>
      <Shown />
      <IssueDialog isOpen={dialog === 'issue'} close={() => setDialog(null)} />
      <BeginDialog isOpen={dialog === 'begin'} close={() => setDialog(null)} />
    </>
  )
}
