// ESLint looks for its configuration from the file upwards; the rules are those of web.
export { default } from "../web/eslint.config.js";
