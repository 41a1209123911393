"""The promises, each as a sentence that runs."""
