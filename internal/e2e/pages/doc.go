// Package pages looks at every page in every state that it has, in both languages, light
// and dark, wide and narrow, with hostile text in every field: nothing is cut or reaches
// beyond the window, no text has a hole, the console stays empty, and axe finds nothing
// against WCAG 2.2 AA. The screenshots lie in artefacts.
package pages
