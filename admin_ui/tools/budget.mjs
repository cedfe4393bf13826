// Fails when a page has grown beyond what it may cost on the wire (gzip): the entry, its styles, and what each page adds.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const KB = 1000
const ENTRY_JS = 220 * KB
const ENTRY_CSS = 40 * KB
const PAGE_JS = 90 * KB

const manifest = JSON.parse(readFileSync('dist/.vite/manifest.json', 'utf8'))
const size = (file) => {
  try {
    return statSync(join('dist', `${file}.gz`)).size
  } catch {
    return statSync(join('dist', file)).size // too small to be compressed
  }
}

/** All files that a chunk loads before it runs. */
function closure(key, seen = new Set()) {
  if (!seen.has(key)) {
    seen.add(key)
    for (const imported of manifest[key].imports ?? []) closure(imported, seen)
  }
  return seen
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry)
const inEntry = closure(entry)
const sum = (keys, of) => [...keys].reduce((total, key) => total + of(manifest[key]), 0)
const js = (chunk) => (chunk.file.endsWith('.js') ? size(chunk.file) : 0)
const css = (chunk) => (chunk.css ?? []).reduce((total, file) => total + size(file), 0)

const rows = [
  ['entry js', sum(inEntry, js), ENTRY_JS],
  ['entry css', sum(inEntry, css), ENTRY_CSS],
]
for (const key of Object.keys(manifest).filter((one) => manifest[one].isDynamicEntry)) {
  const added = [...closure(key)].filter((one) => !inEntry.has(one))
  rows.push([key.replace('src/', ''), sum(added, js), PAGE_JS])
}

let failed = false
for (const [name, bytes, limit] of rows) {
  const over = bytes > limit
  failed ||= over
  console.log(`${over ? 'OVER ' : '     '}${(bytes / KB).toFixed(1).padStart(7)} kB of ${limit / KB}  ${name}`)
}
process.exit(failed ? 1 : 0)
