/** How high the rows of tables are, px; a preference, and an attribute of the page that tokens.css goes by. */
export const ROW_PX = { compact: 28, normal: 32, comfortable: 40 } as const
export type Density = keyof typeof ROW_PX
export const DENSITIES = Object.keys(ROW_PX) as Density[]

const KEPT = 'meshway-density'

export function currentDensity(): Density {
  const set = document.documentElement.dataset.density
  return set !== undefined && set in ROW_PX ? (set as Density) : 'normal'
}

export function setDensity(density: Density) {
  document.documentElement.dataset.density = density
  localStorage.setItem(KEPT, density)
}

/** As it was chosen here before. */
export function startDensity() {
  const kept = localStorage.getItem(KEPT)
  if (kept !== null && kept in ROW_PX) setDensity(kept as Density)
}
