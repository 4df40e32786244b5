// A new alert channel: its kind shows what it needs to know. Which of it may stay empty, the server says.

import { follow } from "./needs.js";

const EMAIL = ["host", "port", "security", "user", "password", "sender", "recipient"];

follow(
  'form select[name="kind"]',
  { token: ["TELEGRAM"], chat: ["TELEGRAM"], url: ["WEBHOOK"], ...Object.fromEntries(EMAIL.map((name) => [name, ["EMAIL"]])) },
  { required: false },
);
