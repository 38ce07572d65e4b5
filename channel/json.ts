/** Deeper than anything a vendor sends, and far from what would exhaust a parser. */
export const JSON_DEPTH_MAX = 32
/** WeChat Pay dossier, section 4.1: about 1 MiB is a sane cap for one message. */
export const JSON_BYTES_MAX = 1_048_576

/**
 * Reads UTF-8 JSON within limits; `undefined` for anything else, JSON's own `null` included.
 *
 * Numbers come out as JavaScript numbers: take ids only as text, and amounts only through `parseMinor`.
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length > JSON_BYTES_MAX) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (depthOf(text) > JSON_DEPTH_MAX) return undefined
    return JSON.parse(text) ?? undefined
  } catch {
    // Neither UTF-8 nor JSON: the caller decides what an unreadable message means.
    return undefined
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x7b, 0x5b])
const CLOSING = new Set([0x7d, 0x5d])

/** How deep brackets nest outside strings. A loop, because what it guards against is deep recursion. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (quoted && code === BACKSLASH) at += 1
    else if (code === QUOTE) quoted = !quoted
    else if (!quoted && OPENING.has(code)) deepest = Math.max(deepest, ++depth)
    else if (!quoted && CLOSING.has(code)) depth -= 1
  }
  return deepest
}
