import { TextInput } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, memo, type ReactNode, useDeferredValue, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { currentDensity, ROW_PX } from './density'

export type Column<Row> = {
  id: string
  title: string
  cell: (row: Row) => ReactNode
  /** What the column is sorted by; without it, it is not. */
  sort?: (row: Row) => string | number
  isNumber?: boolean
  isWide?: boolean
}

type Props<Row> = {
  label: string
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  rowKey: (row: Row) => string
  /** What the filter looks in; without it there is no filter. */
  text?: (row: Row) => string
  open?: (row: Row) => void
  actions?: ReactNode
}

const DRAWN_WHOLE = 120

/**
 * A table that is sorted and filtered here. Beyond 120 rows only what is seen is drawn. Keys: `/` to the filter,
 * `j` `k` or arrows between rows, Enter opens.
 */
export function DataTable<Row>({ label, rows, columns, rowKey, text, open, actions }: Props<Row>) {
  const { t } = useTranslation()
  const [filter, setFilter] = useState('')
  const [order, setOrder] = useState<{ id: string; isDown: boolean } | null>(null)
  const wanted = useDeferredValue(filter.trim().toLowerCase())
  const box = useRef<HTMLDivElement>(null)

  const isWanted = wanted !== ''
  const texts = useMemo(
    () => (isWanted && text ? rows.map((row) => text(row).toLowerCase()) : null),
    [rows, text, isWanted],
  )
  const shown = useMemo(() => {
    const found = texts ? rows.filter((_, at) => texts[at]?.includes(wanted)) : [...rows]
    const by = columns.find((column) => column.id === order?.id)?.sort
    if (by && order) {
      const sign = order.isDown ? -1 : 1
      found.sort((a, b) => sign * compare(by(a), by(b)))
    }
    return found
  }, [rows, columns, wanted, texts, order])

  const isLong = shown.length > DRAWN_WHOLE
  const virtual = useVirtualizer({
    count: isLong ? shown.length : 0,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX[currentDensity()],
    overscan: 6,
  })
  const items = virtual.getVirtualItems()
  const first = items[0]?.start ?? 0
  const rest = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  const [from, to] = isLong ? [items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1] : [0, shown.length]
  const drawn = useMemo(() => shown.slice(from, to), [shown, from, to])

  function sortBy(id: string) {
    setOrder((now) => (now?.id !== id ? { id, isDown: false } : now.isDown ? null : { id, isDown: true }))
  }

  return (
    <div>
      {(text || actions) && (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center', marginBottom: 8 }}>
          {text && (
            <TextInput
              type="search"
              data-filter
              aria-label={t('kit.filter')}
              placeholder={t('kit.filter')}
              value={filter}
              onChange={(event) => setFilter(event.currentTarget.value)}
              style={{ width: 240 }}
            />
          )}
          <span role="status" style={{ color: 'var(--muted)' }}>
            {t('kit.rows', { shown: shown.length, all: rows.length })}
          </span>
          <span style={{ flex: 1 }} />
          {actions}
        </div>
      )}
      <section
        className="table-box"
        ref={box}
        style={isLong ? { maxHeight: '70vh' } : undefined}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        tabIndex={0}
        aria-label={label}
      >
        <table className="table" aria-rowcount={shown.length + 1}>
          <thead>
            <tr>
              {columns.map((column) => (
                <th
                  key={column.id}
                  scope="col"
                  className={column.isNumber ? 'number' : undefined}
                  aria-sort={order?.id === column.id ? (order.isDown ? 'descending' : 'ascending') : undefined}
                >
                  {column.sort ? (
                    <button type="button" onClick={() => sortBy(column.id)}>
                      {column.title}
                      <span aria-hidden="true">{order?.id === column.id ? (order.isDown ? ' ↓' : ' ↑') : ''}</span>
                    </button>
                  ) : (
                    column.title
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <tr style={{ height: first }} />}
            <Rows rows={drawn} columns={columns} rowKey={rowKey} open={open} />
            {rest > 0 && <tr style={{ height: rest }} />}
          </tbody>
        </table>
      </section>
      {shown.length === 0 && rows.length > 0 && (
        <p>
          {t('kit.nothingMatches')}{' '}
          <button type="button" onClick={() => setFilter('')}>
            {t('kit.clearFilter')}
          </button>
        </p>
      )}
    </div>
  )
}

type Drawn<Row> = Pick<Props<Row>, 'columns' | 'open'>

/** Those that are seen. A key in the filter draws them anew when others are seen, and not before. */
const Rows = memo(function Rows<Row>({ rows, rowKey, ...all }: Drawn<Row> & Pick<Props<Row>, 'rows' | 'rowKey'>) {
  return rows.map((row) => <OneRow key={rowKey(row)} row={row} {...all} />)
}) as <Row>(props: Drawn<Row> & Pick<Props<Row>, 'rows' | 'rowKey'>) => ReactNode

const OneRow = memo(function OneRow<Row>({ row, columns, open }: Drawn<Row> & { row: Row }) {
  return (
    <tr
      data-row
      tabIndex={open ? 0 : undefined}
      onKeyDown={open ? (event) => onRowKey(event, () => open(row)) : undefined}
      onDoubleClick={open ? () => open(row) : undefined}
    >
      {columns.map((column) => (
        <td
          key={column.id}
          className={[column.isNumber ? 'number' : '', column.isWide ? 'wrap' : ''].join(' ').trim() || undefined}
        >
          {column.cell(row)}
        </td>
      ))}
    </tr>
  )
}) as <Row>(props: Drawn<Row> & { row: Row }) => ReactNode

function onRowKey(event: KeyboardEvent<HTMLTableRowElement>, open: () => void) {
  if (event.target !== event.currentTarget) return
  if (event.key === 'Enter') open()
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key]
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return
  const next = step > 0 ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling
  if (next instanceof HTMLElement && next.dataset.row !== undefined) {
    event.preventDefault()
    next.focus()
  }
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b), undefined, { numeric: true })
}
