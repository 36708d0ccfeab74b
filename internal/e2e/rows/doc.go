// Package rows holds the lists of a server with 100,000 sessions and 10,000 tickets to
// budgets of rows: what a database reads for a page of a list, whatever is asked for.
// Its figures are counted, not timed, so that they are the same on every machine.
package rows
