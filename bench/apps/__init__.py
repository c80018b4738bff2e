"""The same echo on other frameworks. These files run in environments of their own."""
