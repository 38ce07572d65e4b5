const YUAN = /^(0|[1-9]\d{0,8})(?:\.(\d{1,2}))?$/

/** Fen of decimal yuan. `undefined`: no amount, or one with more than two decimals. */
export function parseYuan(text: string): number | undefined {
  const match = YUAN.exec(text)
  if (match === null) return undefined
  return Number(`${match[1] ?? ''}${(match[2] ?? '').padEnd(2, '0')}`)
}

/** `88.80` */
export function formatYuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}
