import { crc32, deflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const BIT_DEPTH = 1
const GREYSCALE = 0
const BITS_PER_BYTE = 8

/** Writes a square matrix as a PNG of black (`true`) and white, `scale` pixels per module. */
export function encodePng(matrix: readonly (readonly boolean[])[], scale: number): Buffer {
  const side = matrix.length * scale
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([BIT_DEPTH, GREYSCALE], 8)
  const lines = matrix.flatMap((row) => Array<Buffer>(scale).fill(encodeLine(row, scale)))
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(lines))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A filter byte of zero, then eight pixels a byte, where a set bit is white. */
function encodeLine(row: readonly boolean[], scale: number): Buffer {
  const line = Buffer.alloc(1 + Math.ceil((row.length * scale) / BITS_PER_BYTE))
  for (let x = 0; x < row.length * scale; x += 1) {
    if (row[Math.floor(x / scale)] === true) continue
    const at = 1 + Math.floor(x / BITS_PER_BYTE)
    line.writeUInt8(line.readUInt8(at) | (0x80 >> (x % BITS_PER_BYTE)), at)
  }
  return line
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(content.length, 0)
  frame.writeUInt32BE(crc32(named), 4)
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)])
}
