/** The variable with the URL of the PostgreSQL of this run. Set by `test/main.ts`, or by the first file that needs one. */
export const TEST_POSTGRES = 'PINGZHANG_TEST_POSTGRES'
