import { movesBySubject } from '#domain/state'
import type { StateSubject } from '#domain/state'

/** Statements that make the allowed moves those of `domain/state.ts` as it is now. */
export function stateMoves(): readonly string[] {
  const moves = Object.entries(movesBySubject).flatMap(([subject, table]) =>
    Object.entries(table).flatMap(([from, targets]) =>
      targets.map((to) => `('${subject}', '${from}', '${to}')`),
    ),
  )
  return [
    `DELETE FROM pingzhang.state_move`,
    `INSERT INTO pingzhang.state_move VALUES ${moves.join(', ')}`,
  ]
}

/** Refuses moves that are not allowed and writes down the others. */
export const recordStateChange = (subject: StateSubject): string =>
  `CREATE TRIGGER record_state_change
     AFTER INSERT OR UPDATE OF state ON pingzhang.${subject}
     FOR EACH ROW EXECUTE FUNCTION pingzhang.record_state_change()`

export const appendOnly = (table: string): string =>
  `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON pingzhang.${table}
     FOR EACH ROW EXECUTE FUNCTION pingzhang.refuse_change()`
