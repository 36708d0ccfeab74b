import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["**/dist/**", "**/node_modules/**", "**/gen/**"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.worker } },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "svelte/no-at-html-tags": "error",
      "svelte/no-inline-styles": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from the wire is hostile: use textContent (P8)." },
        { property: "outerHTML", message: "Text from the wire is hostile: use textContent (P8)." },
        { property: "insertAdjacentHTML", message: "Text from the wire is hostile: use textContent (P8)." },
      ],
      "no-restricted-globals": [
        "error",
        {
          name: "requestAnimationFrame",
          message: "No frame loop on the session page: it delays every message after a key.",
        },
      ],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
);
