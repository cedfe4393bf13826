import dagre from '@dagrejs/dagre'
import { MORE } from './graph'
import type { LayoutAnswer, LayoutAsked } from './layout'

const LABEL = { width: 128, height: 28 }

self.onmessage = ({ data }: MessageEvent<LayoutAsked>) => {
  const graph = new dagre.graphlib.Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'LR', ranker: 'longest-path', nodesep: 28, edgesep: 14, ranksep: 40 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const id of data.nodes) graph.setNode(id, { width: data.width, height: data.height })
  for (const [source, target] of data.edges) {
    const label = source === MORE || target === MORE ? {} : LABEL
    graph.setEdge(source, target, { ...label, labelpos: 'c' }, `${source}→${target}`)
  }
  dagre.layout(graph)
  const answer: LayoutAnswer = { key: data.key, nodes: {}, edges: {} }
  for (const id of data.nodes) {
    const { x, y } = graph.node(id)
    answer.nodes[id] = { x: (x ?? 0) - data.width / 2, y: (y ?? 0) - data.height / 2 }
  }
  for (const edge of graph.edges()) {
    const { points, x, y } = graph.edge(edge)
    answer.edges[`${edge.v}→${edge.w}`] = { points: points ?? [], x: x ?? 0, y: y ?? 0 }
  }
  self.postMessage(answer)
}
