/** With its sign and a tenth; `…` where an interval has no end. */
export function signed(value: number | null | undefined, language: string): string {
  if (typeof value !== 'number') return '…'
  return new Intl.NumberFormat(language, { signDisplay: 'exceptZero', maximumFractionDigits: 1 }).format(value)
}
