import { useEffect, useState } from 'react'
import { type Graph, shapeOf } from './graph'
import type { Point } from './smooth'

/** Of each card. */
export const CARD = { width: 188, height: 88 }
const KEPT = 40

export type LayoutAsked = { key: string; width: number; height: number; nodes: string[]; edges: [string, string][] }
/** nodes: their upper left corners. edges: their bends, and where what stands on them goes. */
export type LayoutAnswer = {
  key: string
  nodes: Record<string, Point>
  edges: Record<string, { points: Point[]; x: number; y: number }>
}

const known = new Map<string, LayoutAnswer>()

/** Kept by the graph's shape, so numbers that change move no card. undefined: it is still worked out. */
export function useLayout(graph: Graph): LayoutAnswer | undefined {
  const key = shapeOf(graph)
  const [found, setFound] = useState<LayoutAnswer | undefined>(known.get(key))
  const [worker, setWorker] = useState<Worker | null>(null)
  useEffect(() => {
    const made = new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module' })
    made.onmessage = ({ data }: MessageEvent<LayoutAnswer>) => {
      known.set(data.key, data)
      for (const old of known.keys()) if (known.size > KEPT) known.delete(old)
      setFound(data)
    }
    setWorker(made)
    return () => made.terminate()
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that the layout hangs on
  useEffect(() => {
    const there = known.get(key)
    if (there) setFound(there)
    else
      worker?.postMessage({
        key,
        ...CARD,
        nodes: graph.cards.map(({ id }) => id),
        edges: graph.lines.filter((one) => one.source !== one.target).map(({ source, target }) => [source, target]),
      } satisfies LayoutAsked)
  }, [key, worker])
  return found
}
