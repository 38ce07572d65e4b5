import type { ColumnType } from 'kysely'

/** A JSON column: read as a value, written as text. */
export type Json<T> = ColumnType<T, string, string>
export type Stamp = ColumnType<Date, Date | string | undefined, Date | string>
export type Stored = Readonly<Record<string, unknown>>
