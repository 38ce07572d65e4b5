type Cell = string | number | null

/** Characters with which spreadsheets begin a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/

/**
 * One CSV cell (RFC 4180) that a spreadsheet shows as it is: no formula runs, and a number of 28 digits or
 * with leading zeros keeps all of them.
 */
export function csvCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const isLongNumber = /^\d{12,}$|^0\d+$/.test(cell)
  const text = FORMULA.test(cell) || isLongNumber ? `'${cell}` : cell
  return `"${text.replaceAll('"', '""')}"`
}

export const csvRow = (cells: readonly Cell[]): string => `${cells.map(csvCell).join(',')}\r\n`
