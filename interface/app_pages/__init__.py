"""The pages, one module each; ``streamlit_app`` says who sees which."""
