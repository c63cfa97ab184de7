/** What in PyTorch makes a layer's weight a tensor of its own again, by what has made it a computed one. */
export const removeParametrizations =
  "torch.nn.utils.parametrize.remove_parametrizations (after torch.nn.utils.weight_norm or spectral_norm, torch.nn.utils.remove_weight_norm or remove_spectral_norm; after pruning, torch.nn.utils.prune.remove)";
