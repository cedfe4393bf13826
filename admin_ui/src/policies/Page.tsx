import { Button, Group, NativeSelect } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { openChange } from '../api/changes'
import { ROUTE_KINDS, targetsOf, targetText } from '../api/concerning'
import { type Document, documentsQuery, homeOf, isKind, type Kind, PLURALS } from '../api/documents'
import { routeUsesQuery } from '../api/insight'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { number } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Problem, told } from '../kit/Problem'
import { Since } from '../kit/Since'
import { LinkButton } from '../shell/LinkButton'
import { NotFound } from '../shell/Root'
import { useNamespace } from '../shell/useNamespace'
import { managerOf } from './documentText'

const NEW = '+'
const USED_S = 600

export function RoutesPage() {
  const { t } = useTranslation()
  return <DocumentList kind="Route" title={t('nav.routes')} />
}

/** One table per kind of documents but Routes, which have a page of their own. */
export function PoliciesPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { kind } = useParams({ from: '/policies/$kind' })
  if (!isKind(kind)) return <NotFound />
  return (
    <DocumentList
      kind={kind}
      title={t('nav.policies')}
      chooser={
        <NativeSelect
          aria-label={t('policies.kind')}
          value={kind}
          data={Object.keys(PLURALS)}
          onChange={(event) => void navigate({ to: '/policies/$kind', params: { kind: event.currentTarget.value } })}
        />
      }
    />
  )
}

function DocumentList({ kind, title, chooser }: { kind: Kind; title: string; chooser?: React.ReactNode }) {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(documentsQuery(kind))
  return (
    <>
      <PageHead title={title} command={`meshway get ${PLURALS[kind]} ${namespace ? `-n ${namespace}` : '-A'}`}>
        {chooser}
        {!isReadOnly && maySomewhere('documents:write') && (
          <LinkButton
            to="/policies/$kind/$namespace/$name"
            params={{ kind, namespace: homeOf(kind, namespace), name: NEW }}
          >
            {t('policies.new', { kind })}
          </LinkButton>
        )}
      </PageHead>
      <Panel asked={asked} height={320}>
        {(documents) => {
          const shown = namespace ? documents.filter((one) => one.metadata.namespace === namespace) : documents
          if (shown.length === 0) {
            const where = namespace ? t('policies.noneIn', { kind, namespace }) : t('policies.none', { kind })
            return <Empty title={where} command={`meshway apply -f ${kind.toLowerCase()}.yaml`} />
          }
          return <DocumentTable kind={kind} documents={shown} />
        }}
      </Panel>
    </>
  )
}

function DocumentTable({ kind, documents }: { kind: Kind; documents: readonly Document[] }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const { may, isReadOnly, maySomewhere } = useRights()
  const client = useQueryClient()
  // A change like any other: its page says what goes with it before it is gone.
  const remove = useMutation({
    mutationFn: (one: Document) => {
      const part = { ...paramsOf(one), text: null, base_revision: one.metadata.revision ?? 0 }
      return openChange(`${t('editor.delete')} ${kind} ${part.namespace}/${part.name}`, [part])
    },
    onSuccess: async (change) => {
      await client.invalidateQueries({ queryKey: keys.changes })
      await navigate({ to: '/changes/$revision', params: { revision: `d${change.id}` } })
    },
  })
  const isRoute = kind === 'Route'
  const leads = ROUTE_KINDS.some((one) => one === kind)
  const uses = useQuery({
    ...routeUsesQuery({ window_s: USED_S }),
    enabled: isRoute && maySomewhere('insight:read'),
  })
  const used = new Map((uses.data ?? []).map((one) => [`${one.namespace}/${one.name}`, one]))
  const usageOf = ({ metadata }: Document) => used.get(`${metadata.namespace}/${metadata.name}`)
  const usage: Column<Document>[] = [
    {
      id: 'rps',
      title: t('policies.rate'),
      isNumber: true,
      sort: (one) => usageOf(one)?.figures.rps ?? 0,
      cell: (one) => `${number(usageOf(one)?.figures.rps ?? 0, i18n.language)}/s`,
    },
    {
      id: 'used',
      title: t('policies.lastUsed'),
      sort: (one) => usageOf(one)?.last_used ?? 0,
      cell: (one) => {
        const last = usageOf(one)?.last_used
        return last ? <Since at={last * 1000} /> : t('policies.neverUsed')
      },
    },
  ]
  const columns: Column<Document>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: (one) => one.metadata.name,
      cell: (one) => (
        <Link to="/policies/$kind/$namespace/$name" params={paramsOf(one)}>
          {one.metadata.name}
        </Link>
      ),
    },
    {
      id: 'namespace',
      title: t('shell.namespace'),
      sort: (one) => one.metadata.namespace ?? '',
      cell: (one) => one.metadata.namespace,
    },
    {
      id: 'subject',
      title: leads ? t('policies.leads') : t('policies.target'),
      isWide: true,
      cell: (one) => (leads ? leadsOf(one) : 'targets' in one.spec ? targetsOf(one).map(targetText).join(', ') : ''),
    },
    {
      id: 'on',
      title: t('policies.on'),
      isWide: true,
      cell: (one) => onOf(one).join(', '),
    },
    ...(isRoute && uses.data ? usage : []),
    {
      id: 'revision',
      title: t('changes.revision'),
      isNumber: true,
      sort: (one) => one.metadata.revision ?? 0,
      cell: (one) =>
        one.metadata.revision ? (
          <Link to="/changes/$revision" params={{ revision: String(one.metadata.revision) }}>
            r{one.metadata.revision}
          </Link>
        ) : (
          '–'
        ),
    },
    {
      id: 'changed',
      title: t('policies.changed'),
      isWide: true,
      sort: (one) => one.metadata.updated_at ?? '',
      cell: (one) => (
        <>
          {one.metadata.updated_at && <Since at={Date.parse(one.metadata.updated_at)} />} {one.metadata.updated_by}
        </>
      ),
    },
    {
      id: 'actions',
      title: t('policies.actions'),
      cell: (one) =>
        !isReadOnly &&
        may('documents:write', one.metadata.namespace ?? '') && (
          <Group gap={8} wrap="nowrap">
            <Link
              to="/policies/$kind/$namespace/$name"
              params={{ ...paramsOf(one), name: NEW }}
              search={(view) => ({ ...view, like: one.metadata.name })}
              aria-label={`${t('policies.duplicate')} ${one.metadata.name}`}
            >
              {t('policies.duplicate')}
            </Link>
            {kind !== 'Secret' && managerOf(one) === null && (
              <Button
                variant="default"
                size="compact-xs"
                aria-label={`${t('editor.delete')} ${one.metadata.name}`}
                onClick={() => remove.mutate(one)}
              >
                {t('editor.delete')}
              </Button>
            )}
          </Group>
        ),
    },
  ]
  return (
    <>
      {remove.error && <Problem problem={told(remove.error)} />}
      <DataTable
        label={PLURALS[kind]}
        rows={documents}
        columns={columns}
        rowKey={(one) => `${one.metadata.namespace}/${one.metadata.name}`}
        text={(one) => `${one.metadata.namespace}/${one.metadata.name} ${leadsOf(one)} ${onOf(one).join(' ')}`}
        open={(one) => void navigate({ to: '/policies/$kind/$namespace/$name', params: paramsOf(one) })}
      />
    </>
  )
}

function paramsOf({ kind, metadata }: Document) {
  return { kind, namespace: metadata.namespace ?? 'default', name: metadata.name }
}

type Destinations = { destinations?: { service: string; weight?: number }[] }
type Rule = Destinations & { redirect?: object; respond?: { status: number } }
type Leading = Destinations & { listeners?: string[]; hosts?: string[]; rules?: Rule[] }

/** From which hosts, or listeners, to which services, in one line. */
function leadsOf({ spec }: Document): string {
  const { listeners = [], hosts = [], rules = [], destinations } = spec as Leading
  if (destinations) return `${[...listeners, ...hosts].join(', ')} → ${servicesOf(destinations)}`
  const to = rules.map((rule) => {
    if (rule.redirect) return 'redirect'
    if (rule.respond) return `respond ${rule.respond.status}`
    return servicesOf(rule.destinations)
  })
  return rules.length === 0 ? '' : `${hosts.join(', ') || '*'} → ${[...new Set(to)].join(', ')}`
}

function servicesOf(destinations: Destinations['destinations'] = []): string {
  return destinations
    .map((one) => (one.weight === undefined ? one.service : `${one.service} ${one.weight}`))
    .join(' / ')
}

const LED_BY = ['targets', 'listeners', 'hosts', 'destinations']

/** The parts that are written, by their names in the document. */
function onOf({ kind, spec }: Document): string[] {
  if (kind !== 'Route') return Object.keys(spec).filter((name) => !LED_BY.includes(name))
  const rules = (spec as { rules?: object[] }).rules ?? []
  return [...new Set(rules.flatMap((rule) => Object.keys(rule)))].filter(
    (name) => !['name', 'match', 'destinations'].includes(name),
  )
}
