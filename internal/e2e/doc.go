// Package e2e proves the product as a whole: a real server, a real host on a
// real X server, a real browser, and in between the bytes as they pass. Its
// tests read like the promises they prove. Screenshots of every step, in
// English and French, are written to the folder that MAINFORTE_ARTEFACTS names
// (default: artefacts at the top of the house).
package e2e
