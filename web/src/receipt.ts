import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import ReceiptPage from "./receipt/ReceiptPage.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(ReceiptPage, { target });
}
