import { expect, it } from 'vitest'
import type { TraceSpan } from '../api/requests'
import { inOrder } from './TraceView'

const span = (span_id: string, parent_id: string): TraceSpan => ({
  trace_id: 't',
  span_id,
  parent_id,
  name: span_id,
  kind: 'server',
  began_s: 0,
  ended_s: 1,
})

it('puts spans below the one they belong to, whatever order they came in', () => {
  const spans = [span('c', 'b'), span('a', 'elsewhere'), span('b', 'a'), span('d', 'a')]
  expect(inOrder(spans).map((one) => `${one.span.span_id}${one.depth}`)).toEqual(['a0', 'b1', 'c2', 'd1'])
})
