/** Names the bug that `plant.ts` puts into a child process. */
export const PLANT = 'PINGZHANG_PLANT'
