import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type ObjectiveState, objectivesQuery } from '../api/alerts'
import { duration, number, percent } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { type Health, Status } from '../kit/Status'

const SCARCE = 0.25

/** What is promised, how much of the budget is left, and how fast it is being spent. */
export function Objectives({ namespace }: { namespace: string | undefined }) {
  const { t, i18n } = useTranslation()
  const asked = useQuery(objectivesQuery(namespace))
  const leftOf = ({ budget: { left } }: ObjectiveState) => {
    if (left == null) return t('alerts.noCalls')
    return left < 0 ? t('alerts.overspent', { times: short(1 - left, i18n.language) }) : percent(left, i18n.language)
  }
  const columns: Column<ObjectiveState>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: nameOf,
      cell: (one) => (
        <Link
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Objective', namespace: one.namespace, name: one.name }}
        >
          {nameOf(one)}
        </Link>
      ),
    },
    { id: 'target', title: t('alerts.target'), isWide: true, cell: (one) => `${one.target}: ${one.indicator}` },
    {
      id: 'promised',
      title: t('alerts.promised'),
      isNumber: true,
      sort: (one) => one.target_percent,
      cell: (one) => `${number(one.target_percent, i18n.language)} % / ${duration(one.window_s, i18n.language)}`,
    },
    {
      id: 'left',
      title: t('alerts.budgetLeft'),
      sort: (one) => one.budget.left ?? 1,
      cell: (one) => <Status health={healthOf(one)}>{leftOf(one)}</Status>,
    },
    {
      id: 'burn',
      title: t('alerts.burn'),
      isWide: true,
      cell: (one) => (
        <ul style={{ listStyle: 'none', margin: 0, padding: 0 }}>
          {one.budget.rates.map((rate) => (
            <li key={`${rate.long_s} ${rate.short_s} ${rate.severity}`}>
              <Status health={rate.holds ? 'bad' : rate.holds == null ? 'unknown' : 'ok'}>
                {t('alerts.burnRate', {
                  long: duration(rate.long_s, i18n.language),
                  rate: short(rate.long, i18n.language),
                  limit: short(rate.factor, i18n.language),
                })}
              </Status>
            </li>
          ))}
        </ul>
      ),
    },
  ]
  return (
    <Panel asked={asked} height={200}>
      {(objectives) =>
        objectives.length === 0 ? (
          <Empty title={t('alerts.noObjectives')} command="meshway get objectives -A" />
        ) : (
          <DataTable
            label={t('alerts.objectives')}
            rows={objectives}
            columns={columns}
            rowKey={nameOf}
            text={(one) => `${nameOf(one)} ${one.target}`}
          />
        )
      }
    </Panel>
  )
}

function nameOf(one: ObjectiveState): string {
  return `${one.namespace}/${one.name}`
}

function healthOf({ budget }: ObjectiveState): Health {
  if (budget.left == null) return 'unknown'
  if (budget.left <= 0) return 'bad'
  return budget.left < SCARCE ? 'warn' : 'ok'
}

function short(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value)
}
