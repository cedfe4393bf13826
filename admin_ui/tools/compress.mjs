// Compresses what was built once, so that the registry compresses nothing while somebody waits.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const SMALLEST = 512
const KINDS = new Set(['.js', '.css', '.html', '.svg', '.txt'])

for (const name of readdirSync('dist', { recursive: true })) {
  const path = join('dist', name)
  if (!KINDS.has(extname(path)) || !statSync(path).isFile()) continue
  const plain = readFileSync(path)
  if (plain.length < SMALLEST) continue
  writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }))
  writeFileSync(`${path}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
}
