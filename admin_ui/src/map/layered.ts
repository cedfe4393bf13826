/**
 * Where the cells of a large map lie: layers by the longest path from those that nobody calls, within a layer by
 * namespace and then by the mean of the neighbours (Sugiyama, Tagawa, Toda 1981). Pure; for a worker.
 */

export const CELL = { width: 132, height: 20, gapX: 28, gapY: 4 }
const PASSES = 8
const MOST_IN_A_COLUMN = 90

export type Cell = { id: string; group: string }
export type Link = { source: string; target: string }
export type Place = { id: string; x: number; y: number }

export function layered(cells: readonly Cell[], links: readonly Link[]): Place[] {
  const at = new Map(cells.map((cell, index) => [cell.id, index]))
  const out: number[][] = cells.map(() => [])
  const into: number[][] = cells.map(() => [])
  for (const { source, target } of links) {
    const [from, to] = [at.get(source), at.get(target)]
    if (from === undefined || to === undefined || from === to) continue
    out[from]?.push(to)
    into[to]?.push(from)
  }
  const layer = longestPath(out, into)
  const layers: number[][] = Array.from({ length: 1 + Math.max(0, ...layer) }, () => [])
  for (const index of cells.keys()) layers[layer[index] ?? 0]?.push(index)
  order(layers, cells, out, into)
  return placed(layers, cells)
}

/** Edges that would close a circle, as they are met from those that nobody calls, do not count. */
function longestPath(out: readonly number[][], into: readonly number[][]): number[] {
  const layer = new Array<number>(out.length).fill(0)
  const state = new Uint8Array(out.length)
  const finished: number[] = []
  const back = new Set<string>()
  const starts = [...out.keys()].sort((a, b) => (into[a]?.length ?? 0) - (into[b]?.length ?? 0))
  for (const start of starts) {
    if (state[start]) continue
    const stack: [number, number][] = [[start, 0]]
    state[start] = 1
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as [number, number]
      const next = out[top[0]]?.[top[1]++]
      if (next === undefined) {
        state[top[0]] = 2
        finished.push(top[0])
        stack.pop()
      } else if (state[next] === 1) back.add(`${top[0]} ${next}`)
      else if (state[next] === 0) {
        state[next] = 1
        stack.push([next, 0])
      }
    }
  }
  for (const from of finished.reverse()) {
    for (const to of out[from] ?? []) {
      if (!back.has(`${from} ${to}`)) layer[to] = Math.max(layer[to] ?? 0, (layer[from] ?? 0) + 1)
    }
  }
  return layer
}

function order(layers: number[][], cells: readonly Cell[], out: readonly number[][], into: readonly number[][]) {
  const rank = new Float64Array(cells.length)
  const index = (members: number[]) => {
    for (const [at, member] of members.entries()) rank[member] = at / Math.max(1, members.length)
  }
  for (const members of layers) {
    members.sort((a, b) => compare(cells[a]?.group, cells[b]?.group) || compare(cells[a]?.id, cells[b]?.id))
    index(members)
  }
  for (let pass = 0; pass < PASSES; pass += 1) {
    const beside = pass % 2 === 0 ? into : out
    for (const members of pass % 2 === 0 ? layers : [...layers].reverse()) {
      const middle = new Map<number, number>()
      const groups = new Map<string, { sum: number; count: number }>()
      for (const member of members) {
        const others = beside[member] ?? []
        const mean =
          others.length > 0 ? others.reduce((sum, one) => sum + (rank[one] ?? 0), 0) / others.length : rank[member]
        middle.set(member, mean ?? 0)
        const group = groups.get(cells[member]?.group ?? '') ?? { sum: 0, count: 0 }
        groups.set(cells[member]?.group ?? '', { sum: group.sum + (mean ?? 0), count: group.count + 1 })
      }
      const of = (member: number) => {
        const { sum, count } = groups.get(cells[member]?.group ?? '') ?? { sum: 0, count: 1 }
        return sum / count
      }
      members.sort(
        (a, b) =>
          of(a) - of(b) ||
          compare(cells[a]?.group, cells[b]?.group) ||
          (middle.get(a) ?? 0) - (middle.get(b) ?? 0) ||
          a - b,
      )
      index(members)
    }
  }
}

function placed(layers: readonly number[][], cells: readonly Cell[]): Place[] {
  const places: Place[] = []
  const columns = layers.flatMap((members) => {
    const parts = Math.ceil(members.length / MOST_IN_A_COLUMN)
    const size = Math.ceil(members.length / parts)
    return Array.from({ length: parts }, (_, part) => members.slice(part * size, (part + 1) * size))
  })
  const tallest = Math.max(0, ...columns.map((members) => members.length))
  for (const [column, members] of columns.entries()) {
    const top = ((tallest - members.length) / 2) * (CELL.height + CELL.gapY)
    for (const [row, member] of members.entries()) {
      places.push({
        id: cells[member]?.id ?? '',
        x: column * (CELL.width + CELL.gapX),
        y: top + row * (CELL.height + CELL.gapY),
      })
    }
  }
  return places
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0
}
