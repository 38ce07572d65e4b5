import { inflateSync } from 'node:zlib'
import { decodeQR } from 'qr/decode.js'

// Reads the images back on their own terms: PNG by its specification, SVG by its path.

/** The text of the code that a matrix of dark pixels shows. */
export function decodeMatrix(matrix: readonly (readonly boolean[])[], scale: number): string {
  const side = matrix.length * scale
  const data = new Uint8Array(side * side * 4).fill(255)
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const isDark = matrix[Math.floor(y / scale)]?.[Math.floor(x / scale)] === true
      if (isDark) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3)
    }
  }
  return decodeQR({ width: side, height: side, data }, { timeLimit: 2000 })
}

/** Dark pixels of a 1-bit greyscale PNG whose lines have no filter. */
export function readPng(png: Buffer): boolean[][] {
  const signature = png.subarray(0, 8).toString('hex')
  if (signature !== '89504e470d0a1a0a') throw new Error(`no PNG: ${signature}`)
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const length = png.readUInt32BE(33)
  const lines = inflateSync(png.subarray(41, 41 + length))
  const bytes = 1 + Math.ceil(width / 8)
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const byte = lines.readUInt8(y * bytes + 1 + Math.floor(x / 8))
      return (byte & (0x80 >> (x % 8))) === 0
    }),
  )
}

/** Dark modules of a drawing whose path consists of unit squares `M x y h1v1…Z`, or `m dx dy` after the last. */
export function readSvg(svg: string): boolean[][] {
  const side = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1])
  const path = /<path d="([^"]+)"/.exec(svg)?.[1] ?? ''
  const matrix = Array.from({ length: side }, () => Array<boolean>(side).fill(false))
  let x = 0
  let y = 0
  for (const [, letter, first, second] of path.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)h1v1/g)) {
    x = letter === 'M' ? Number(first) : x + Number(first)
    y = letter === 'M' ? Number(second) : y + Number(second)
    const row = matrix[y]
    if (row !== undefined) row[x] = true
  }
  return matrix
}
