import { parseDocument, stringify } from 'yaml'
import type { Moved } from '../api/changes'
import { pathOf, written } from '../parts/documentEdits'

type Merged = Pick<Moved, 'conflicts'> & { merged?: unknown }

/**
 * A draft's text with what others published, too: fields that differ are written, all others stay as they are with
 * their comments. isMine: of a conflict's path, whether the draft's value stands. null: the document is deleted.
 */
export function rebased(text: string | null, moved: Merged, isMine: (path: string) => boolean): string | null {
  const whole = moved.conflicts.find((one) => one.path === '')
  if (whole !== undefined) {
    if (isMine('')) return text
    return whole.theirs === null || whole.theirs === undefined ? null : stringify(moved.merged)
  }
  if (moved.merged === null || moved.merged === undefined) return null
  if (text === null) return stringify(moved.merged)
  const wanted = parseDocument(stringify(moved.merged))
  for (const { path, mine } of moved.conflicts) {
    if (!isMine(path)) continue
    if (mine === null || mine === undefined) wanted.deleteIn(pathOf(path))
    else wanted.setIn(pathOf(path), mine)
  }
  return written(text, wanted.toJS() as Record<string, unknown>)
}
