import { BillBroken } from './bill.ts'

/** The names of the columns. Full-width brackets are the same name (WeChat Pay dossier, section 6.8; Alipay dossier, section 6.3). */
export function readHeader(text: string, line: number): readonly string[] {
  const names = text.replaceAll('（', '(').replaceAll('）', ')').split(',')
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new BillBroken('a column is there twice', line, twice)
  return names
}

/** Where a column is, by the names that it may have; -1 for one that is not there. */
export function findColumn(header: readonly string[], names: readonly string[]): number {
  const name = names.find((one) => header.includes(one))
  return name === undefined ? -1 : header.indexOf(name)
}

/** As `findColumn`, for a column without which nothing can be read. */
export function needColumn(header: readonly string[], names: readonly string[], line = 1): number {
  const column = findColumn(header, names)
  if (column < 0) throw new BillBroken('the column is missing', line, names.join(' or '))
  return column
}
