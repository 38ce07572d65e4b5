declare const brand: unique symbol

/** A value that only a checked constructor can make. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Turns a checked value into a branded one. The only unchecked `as` in the code base. */
export function mint<T, Name extends string>(value: T): Brand<T, Name> {
  return value as Brand<T, Name> // oxlint-disable-line typescript/no-unsafe-type-assertion -- The one door.
}
