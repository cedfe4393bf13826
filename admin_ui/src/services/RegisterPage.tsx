import { NumberInput, Tabs, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, type Schemas, take } from '../api/client'
import { useRights } from '../api/session'
import { CopyCommand } from '../kit/CopyCommand'
import { NeedsButton } from '../kit/Needs'
import { PageHead } from '../kit/PageHead'
import { Problem, told } from '../kit/Problem'
import { useNamespace } from '../shell/useNamespace'
import { type Registration, snippets } from './snippets'

const PORT = 9080
const TTL_S = 30
const DAY_S = 3600

/** Makes a service known: at once by this form, or for good by what the program itself then runs. */
export function RegisterPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may, session } = useRights()
  const chosen = useNamespace()
  const asked = useSearch({ from: '/services/register' })
  const [form, setForm] = useState<Registration>({
    namespace: chosen ?? 'default',
    service: asked.service ?? '',
    address: '127.0.0.1',
    port: PORT,
    version: '',
    zone: '',
    ttl_s: TTL_S,
  })
  const register = useMutation({
    mutationFn: ({ namespace, service, ...body }: Registration) =>
      take(
        api.POST('/v1/namespaces/{namespace}/services/{service}/instances', {
          params: { path: { namespace, service } },
          body,
        }),
      ),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ['services'] }),
        client.invalidateQueries({ queryKey: ['instances'] }),
      ]),
  })
  const set = (part: Partial<Registration>) => setForm((now) => ({ ...now, ...part }))
  const isWhole = form.service !== '' && form.namespace !== '' && form.port > 0
  const isOwn = session.service === `${form.namespace}/${form.service}`
  const texts = snippets(form, window.location.origin)
  const done = register.data as Schemas['Registered'] | undefined

  return (
    <>
      <PageHead title={t('register.title')} />
      <p style={{ maxWidth: 640 }}>{t('register.about')}</p>
      <div style={{ display: 'grid', gap: 24, gridTemplateColumns: 'repeat(auto-fit, minmax(min(100%, 320px), 1fr))' }}>
        <form
          style={{ display: 'grid', gap: 12, alignContent: 'start' }}
          onSubmit={(event) => {
            event.preventDefault()
            if (isWhole) register.mutate(form)
          }}
        >
          <Text label={t('shell.namespace')} value={form.namespace} required set={(namespace) => set({ namespace })} />
          <Text label={t('register.service')} value={form.service} required set={(service) => set({ service })} />
          <Text label={t('instances.address')} value={form.address} required set={(address) => set({ address })} />
          <NumberInput
            label={t('register.port')}
            min={1}
            max={65535}
            allowDecimal={false}
            value={form.port}
            onChange={(value) => set({ port: Number(value) })}
          />
          <Text label={t('instances.version')} value={form.version} set={(version) => set({ version })} />
          <Text label={t('instances.zone')} value={form.zone} set={(zone) => set({ zone })} />
          <NumberInput
            label={t('register.ttl')}
            description={t('register.ttlHint')}
            min={3}
            max={DAY_S}
            value={form.ttl_s}
            onChange={(value) => set({ ttl_s: Number(value) })}
          />
          {register.error && <Problem problem={told(register.error)} />}
          {done && (
            <p role="status" style={{ margin: 0 }}>
              {t('register.done', { id: done.id, seconds: done.ttl_s ?? 0 })}{' '}
              <Link to="/services/$namespace/$service" params={{ namespace: done.namespace, service: done.service }}>
                {t('register.look')}
              </Link>
            </p>
          )}
          <NeedsButton
            may={may('instances:write', form.namespace) || isOwn}
            right="instances:write"
            namespace={form.namespace}
            onClick={() => isWhole && register.mutate(form)}
            loading={register.isPending}
          >
            {t('register.action')}
          </NeedsButton>
        </form>
        <section aria-label={t('register.same')}>
          <h2 style={{ fontSize: 14, marginTop: 0 }}>{t('register.same')}</h2>
          <Tabs defaultValue="cli" keepMounted={false}>
            <Tabs.List>
              {texts.map(({ id, title }) => (
                <Tabs.Tab key={id} value={id}>
                  {title}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            {texts.map(({ id, title, text }) => (
              <Tabs.Panel key={id} value={id} pt="sm">
                <CopyCommand text={text} label={title} />
              </Tabs.Panel>
            ))}
          </Tabs>
          {!session.principal.startsWith('loopback') && <p>{t('register.token')}</p>}
        </section>
      </div>
    </>
  )
}

function Text({
  label,
  value,
  set,
  required,
}: {
  label: string
  value: string
  set: (text: string) => void
  required?: boolean
}) {
  return (
    <TextInput
      label={label}
      value={value}
      required={required}
      onChange={(event) => set(event.currentTarget.value.trim())}
    />
  )
}
