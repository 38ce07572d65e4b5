type Cell = string | number | null

/**
 * Characters with which spreadsheets begin a formula (OWASP, "CSV Injection"). The full-width ones count as well,
 * because a Chinese or Japanese spreadsheet reads them as the others.
 */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

/**
 * One CSV cell (RFC 4180) that a spreadsheet shows as it is: no formula runs, and a number of 28 digits or
 * with leading zeros keeps all of them.
 */
function csvCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const isLongNumber = /^\d{12,}$|^0\d+$/.test(cell)
  const text = FORMULA.test(cell) || isLongNumber ? `'${cell}` : cell
  return `"${text.replaceAll('"', '""')}"`
}

/** Put before the first row: without it Excel reads UTF-8 as the encoding of its own country. */
export const CSV_MARK = '\uFEFF'

export const csvRow = (cells: readonly Cell[]): string => `${cells.map(csvCell).join(',')}\r\n`
